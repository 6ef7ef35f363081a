"""Networks that read a shopper's history and score the next visit, all trained by one loop."""
