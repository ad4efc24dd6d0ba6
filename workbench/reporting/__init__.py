"""Stage 5: reports. Takes computed frames; makes blocks, figures, lists, one self-contained page, and the index."""
