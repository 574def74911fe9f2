"""Speed beside a peer, as ratios within one run; never a test."""
