# SPDX-License-Identifier: MIT
"""What the end-to-end tests are made of: PostgreSQL, receivers, the real binary, verifiers."""
