# Builds the tree around this layer. A release has a recipe of the same name for its archive: tests/recipes/release.
require ${BPN}.inc

SUREPLUG_TREE ?= "${@os.path.realpath(d.getVar('FILE_DIRNAME') + '/../../../..')}"
# Where the fetcher looks for the files below.
# nooelint: oelint.vars.bbvars.FILESPATH
FILESPATH:prepend = "${SUREPLUG_TREE}:"
SRC_URI = "\
    file://Cargo.toml;subdir=${BP} \
    file://Cargo.lock;subdir=${BP} \
    file://LICENSE-APACHE;subdir=${BP} \
    file://LICENSE-MIT;subdir=${BP} \
    file://CHANGELOG.md;subdir=${BP} \
    file://core;subdir=${BP} \
    file://board;subdir=${BP} \
"

require ${BPN}-crates.inc

# nooelint: oelint.task.noanonpython
python () {
    tree = d.getVar("SUREPLUG_TREE")
    manifest = os.path.join(tree, "board/Cargo.toml")
    # Parsed again, not taken from BitBake's cache, when it appears.
    bb.parse.mark_dependency(d, manifest)
    if not os.path.exists(manifest):
        raise bb.parse.SkipRecipe("the sources of sureplug are not in %s: keep the layer in its tree, set SUREPLUG_TREE to the "
                                  "tree's path, or take the recipe of a release" % tree)
}
