"""The room of m16_bert."""
