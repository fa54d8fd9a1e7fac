// Numbers and states in words.

/** 75 -> "1 min 15 s", 3600 -> "1 h" */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(seconds < 1 ? 2 : 1)} s`;
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  const [large, small, units] = minutes < 60 ? [minutes, whole % 60, ["min", "s"]] : [Math.floor(minutes / 60), minutes % 60, ["h", "min"]];
  return small ? `${large} ${units[0]} ${small} ${units[1]}` : `${large} ${units[0]}`;
}

/** Coarse, because it is an estimate. */
export function timeLeft(seconds) {
  if (seconds < 5) return "a few seconds left";
  if (seconds < 60) return `about ${Math.ceil(seconds / 5) * 5} s left`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `about ${minutes} min left` : `about ${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

export function size(bytes) {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** 0.004 -> "less than 1 %" */
export function percent(share) {
  return share > 0 && share < 0.01 ? "less than 1 %" : `${Math.round(share * 100)} %`;
}

const STAGES = { "find faces": "Looking for faces", generate: "Making the frames" };
const ORDINALS = ["Next", "2nd in the queue", "3rd in the queue"];

export function stateOf(job) {
  if (job.cancelling) return "Stopping …";
  if (job.state === "queued") {
    if (job.attempts) return "Waiting to go on";
    return job.ahead === null || job.ahead === undefined ? "Waiting" : ORDINALS[job.ahead] ?? `${job.ahead + 1}th in the queue`;
  }
  if (job.state === "running") {
    const left = job.seconds_left === null ? "" : `, ${timeLeft(job.seconds_left)}`;
    return `${STAGES[job.stage] ?? "Getting ready"}: ${percent(job.progress)}${left}`;
  }
  return { done: "Finished", failed: "Failed", cancelled: "Cancelled" }[job.state];
}

const SPOKEN = {
  start: (value) => `from ${duration(value)}`,
  end: (value) => `to ${duration(value)}`,
  length: (value) => ({ video: "as long as the scene", shortest: "the shorter length" })[value],
  extend: (value) => ({ freeze: "last frame held" })[value],
  background: (value) => ({ keep: "scene’s sound kept", duck: "scene’s sound lowered" })[value],
  loudness: (value) => `${value} LUFS`,
  region: (value) => ({ face: "whole face", mouth: "mouth only" })[value],
  quality: (value) => `${value} quality`,
  resolution: (value) => (/^\d+$/.test(value) ? `${value} pixels high` : value),
  fps: (value) => `${value} frames a second`,
  subtitles: () => "with subtitles",
  subtitles_as: (value) => ({ burn: "subtitles in the picture" })[value],
  keep_tracks: () => "further tracks kept",
  crop: (value) => `${value} around the face`,
  format: (value) => value.toUpperCase(),
  codec: (value) => value.toUpperCase(),
  strength: (value) => `likeness ${percent(value)}`,
  label: () => "visible label",
  face: (value) => (/^\d+$/.test(value) ? `person ${value}` : value),
};

/** The options of a job that are not the usual ones, as a few words. */
export function chosen(options) {
  return Object.entries(options).map(([name, value]) => SPOKEN[name]?.(value)).filter(Boolean).join(", ");
}
