# Builds the tree around this layer. tests/recipes/release writes a recipe of the same name that builds a release's archive.
require ${BPN}.inc

SUREPLUG_TREE ?= "${@os.path.realpath(d.getVar('FILE_DIRNAME') + '/../../../..')}"
# The fetcher finds the files below in the tree.
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
    # BitBake parses the recipe again when the manifest appears.
    bb.parse.mark_dependency(d, manifest)
    if not os.path.exists(manifest):
        raise bb.parse.SkipRecipe("the sources of sureplug are not in %s: keep the layer in its tree, set SUREPLUG_TREE to the "
                                  "tree's path, or take the recipe of a release" % tree)
}
