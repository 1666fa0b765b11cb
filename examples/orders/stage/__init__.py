# SPDX-License-Identifier: MIT
"""What stands around the example: a throwaway PostgreSQL, Postrider, the services' processes, the faults, and what is
printed. Nothing here is needed to understand the three styles."""
