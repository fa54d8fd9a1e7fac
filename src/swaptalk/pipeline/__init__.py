"""The job: plan, analyse, generate, write."""
