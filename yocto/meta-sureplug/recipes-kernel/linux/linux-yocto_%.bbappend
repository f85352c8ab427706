# Only on request: the layer alone changes neither a kernel nor its hash, which a condition in SRC_URI would do.
SUREPLUG_KERNEL_CONFIG ?= "0"

require ${@'sureplug-kernel.inc' if bb.utils.to_boolean(d.getVar('SUREPLUG_KERNEL_CONFIG')) else ''}
