# In place of OpenEmbedded-Core's: the fetcher does the work there as here.
THISDIR = "${@os.path.dirname(d.getVar('FILE'))}"

python base_do_fetch() {
    bb.fetch2.Fetch((d.getVar("SRC_URI") or "").split(), d).download()
}

python base_do_unpack() {
    bb.fetch2.Fetch((d.getVar("SRC_URI") or "").split(), d).unpack(d.getVar("UNPACKDIR"))
}
do_unpack[cleandirs] = "${UNPACKDIR}"

base_do_configure() {
    :
}
do_configure[dirs] = "${B}"

base_do_compile() {
    :
}
do_compile[dirs] = "${B}"

base_do_install() {
    :
}
do_install[dirs] = "${B}"
do_install[cleandirs] = "${D}"

addtask do_fetch
addtask do_unpack after do_fetch
addtask do_configure after do_unpack
addtask do_compile after do_configure
addtask do_install after do_compile

EXPORT_FUNCTIONS do_fetch do_unpack do_configure do_compile do_install
