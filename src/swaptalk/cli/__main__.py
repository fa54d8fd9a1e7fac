"""``python -m swaptalk.cli``."""

from swaptalk.cli.main import main

raise SystemExit(main())
