"""What an output says about itself: signed manifest, invisible watermark, visible label, consent; and how to read them."""
