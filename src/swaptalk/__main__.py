"""``python -m swaptalk``."""

from swaptalk.cli.main import main

raise SystemExit(main())
