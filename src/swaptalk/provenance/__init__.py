"""What an output says about itself: signed manifest, invisible watermark, label, consent; and how
to read them.
"""
