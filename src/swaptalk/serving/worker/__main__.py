"""Entry of a worker process, ``python -m swaptalk.serving.worker SERVER_PID``.

It is bound to its server before anything else is imported, which takes seconds.
"""

import sys

from swaptalk.workers.lifetime import end_with

if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    from swaptalk.serving.worker.loop import main

    main()
