# Only where an image asks for it, so that the layer alone changes no kernel.
SUREPLUG_KERNEL_CONFIG ?= "0"

FILESEXTRAPATHS:prepend := "${THISDIR}/files:"

SRC_URI:append = " ${@'file://sureplug.cfg' if bb.utils.to_boolean(d.getVar('SUREPLUG_KERNEL_CONFIG')) else ''}"
