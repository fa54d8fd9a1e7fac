// Records the words with the microphone of this device.

import { duration } from "./words.js";

const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];

/** @param {(recording: Blob, name: string) => void} done @param {(text: string) => void} failed */
export function setUpRecorder(done, failed) {
  const button = document.getElementById("record");
  const level = document.getElementById("level");
  const clock = document.getElementById("recorded-time");
  let recorder = null;

  async function start() {
    if (!navigator.mediaDevices || !window.MediaRecorder) {
      return failed("This browser cannot record here. Pages that are not on this computer need https for that.");
    }
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, noiseSuppression: true } });
    } catch (error) {
      return failed(error.name === "NotAllowedError"
        ? "The browser was not allowed to use the microphone. Allow it in the address bar, then try again."
        : "No microphone was found.");
    }
    const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one));
    recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
    const parts = [];
    const begun = performance.now();
    const stopMeter = meter(stream, level, () => { clock.textContent = duration((performance.now() - begun) / 1000); });
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      stopMeter();
      for (const track of stream.getTracks()) track.stop();
      button.textContent = "Record again";
      const kind = recorder.mimeType || "audio/webm";
      recorder = null;
      done(new Blob(parts, { type: kind }), `Recording.${kind.includes("mp4") ? "m4a" : kind.includes("ogg") ? "ogg" : "webm"}`);
    };
    recorder.start();
    button.textContent = "Stop recording";
  }

  button.addEventListener("click", () => (recorder ? recorder.stop() : start()));
}

function meter(stream, level, tick) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    level.value = Math.min(1, 4 * Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length));
    tick();
  }, 100);
  return () => { clearInterval(timer); context.close(); level.value = 0; };
}
