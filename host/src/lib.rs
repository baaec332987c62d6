//! edgepkg: the host tool.
