"""What the board under us says about itself: heat, power, card. Reads files and one firmware call; writes
nothing.
"""
