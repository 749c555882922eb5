"""The practice dataset: VGG Face in small, made here, with every fault at a known place."""
