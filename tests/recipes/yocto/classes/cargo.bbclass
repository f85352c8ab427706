# In place of OpenEmbedded-Core's, for the host's own architecture and with its cargo.
CARGO_HOME = "${UNPACKDIR}/cargo_home"
export CARGO_HOME
B = "${WORKDIR}/build"

cargo_do_configure() {
    cat > ${CARGO_HOME}/config.toml <<-END
	[source.bitbake]
	directory = "${CARGO_HOME}/bitbake"
	[source.crates-io]
	replace-with = "bitbake"
	[build]
	target-dir = "${B}/target"
	END
}

cargo_do_compile() {
    cargo build --frozen --release --manifest-path=${S}/Cargo.toml ${PACKAGECONFIG_CONFARGS}
}

cargo_do_install() {
    for program in ${B}/target/release/*; do
        if [ -f "$program" ] && [ -x "$program" ]; then
            install -d ${D}${bindir}
            install -m755 "$program" ${D}${bindir}
        fi
    done
}

# The features that PACKAGECONFIG names, as base.bbclass has it.
python () {
    flags = d.getVarFlags("PACKAGECONFIG") or {}
    chosen = (d.getVar("PACKAGECONFIG") or "").split()
    confargs = [value.split(",")[0] for name, value in flags.items() if name in chosen]
    d.setVar("PACKAGECONFIG_CONFARGS", " ".join(confargs))
}

EXPORT_FUNCTIONS do_configure do_compile do_install
