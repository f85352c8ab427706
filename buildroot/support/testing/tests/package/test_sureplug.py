import os

import infra.basetest


class TestSureplug(infra.basetest.BRTest):
    # The external tree that contains this file.
    br2_external = [os.environ.get("SUREPLUG_BR2_EXTERNAL", "")]
    # The emulator's built-in kernel has no xHCI driver.
    config = \
        """
        BR2_aarch64=y
        BR2_TOOLCHAIN_EXTERNAL=y
        BR2_TARGET_GENERIC_GETTY_PORT="ttyAMA0"
        BR2_LINUX_KERNEL=y
        BR2_LINUX_KERNEL_CUSTOM_VERSION=y
        BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE="6.18.7"
        BR2_LINUX_KERNEL_USE_CUSTOM_CONFIG=y
        BR2_LINUX_KERNEL_CUSTOM_CONFIG_FILE="board/qemu/aarch64-virt/linux.config"
        BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES="$(BR2_EXTERNAL_SUREPLUG_PATH)/board/qemu/linux-usb.fragment"
        BR2_LINUX_KERNEL_NEEDS_HOST_OPENSSL=y
        BR2_PACKAGE_SUREPLUG=y
        BR2_PACKAGE_SUREPLUG_USB_PORTS="8"
        BR2_TARGET_ROOTFS_CPIO=y
        BR2_TARGET_ROOTFS_CPIO_GZIP=y
        # BR2_TARGET_ROOTFS_TAR is not set
        """

    def test_run(self):
        img = os.path.join(self.builddir, "images", "rootfs.cpio.gz")
        kern = os.path.join(self.builddir, "images", "Image")
        self.emulator.boot(arch="aarch64",
                           kernel=kern,
                           kernel_cmdline=["console=ttyAMA0"],
                           options=["-M", "virt", "-cpu", "cortex-a57", "-m", "256M",
                                    "-initrd", img,
                                    "-device", "qemu-xhci,id=xhci",
                                    "-device", "usb-kbd,bus=xhci.0"])
        self.emulator.login()

        self.assertRunOk("sureplug --version")
        # The init script has started the daemon.
        self.assertRunOk("/etc/init.d/S30sureplug status")
        # The buffer is large enough, and the keyboard is listed.
        self.assertRunOk("sureplug size")
        self.assertRunOk("sureplug list | grep -q 0627:0001")
        self.assertRunOk("/etc/init.d/S30sureplug restart")
        self.assertRunOk("/etc/init.d/S30sureplug stop")
        self.assertRunOk("! /etc/init.d/S30sureplug status")
