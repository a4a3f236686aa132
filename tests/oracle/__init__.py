"""An independent reading and solution of the contract, to hold the product against."""
