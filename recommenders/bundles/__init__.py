"""Pre-built bundles ranked for a shopper, and bundles found in what shoppers looked at together."""
