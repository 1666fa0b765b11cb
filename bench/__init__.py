# SPDX-License-Identifier: MIT
"""What Postrider costs and how fast it is, beside what people use instead. docs/performance.md."""
