"""The first pass: faces found, followed and aligned; and what photos say about a person."""
