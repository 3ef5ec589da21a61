"""XML that anybody may have written, parsed the same hardened way for every format."""

from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

XMLSyntaxError = etree.XMLSyntaxError


def read_root(data: bytes) -> Any:
    """The root element: no entities, no DTD loaded, no network, no huge trees; without comments and namespaces.

    Raises XMLSyntaxError where the data is not well-formed; a DTD that it declares is for the caller to refuse.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    root = etree.fromstring(data, parser)
    for element in root.iter(etree.Element):
        if element.tag[0] == "{":
            element.tag = etree.QName(element).localname
    return root


def declared_dtd(root: Any) -> str | None:
    """The DTD that the document declares, perhaps empty; None where it declares none."""
    info = root.getroottree().docinfo
    return info.doctype if info.internalDTD is not None or info.doctype else None
