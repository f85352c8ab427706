# Only where an image asks for it: the layer alone changes no kernel, and no hash of one, where a condition in SRC_URI would be.
SUREPLUG_KERNEL_CONFIG ?= "0"

require ${@'sureplug-kernel.inc' if bb.utils.to_boolean(d.getVar('SUREPLUG_KERNEL_CONFIG')) else ''}
