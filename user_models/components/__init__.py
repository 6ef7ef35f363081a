"""Parts of shoppers that several user models share, a file each: its equation, its fit, and what it does at a
visit."""
