"""The stages of the job as Beam transforms; each can be used alone.

Importing any of them registers the coder of blocks, before a pipeline asks for one.
"""

from transforms import blocks as blocks
