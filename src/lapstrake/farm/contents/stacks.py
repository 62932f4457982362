"""The branches' stacks on the server: its own, and those that workers of other machines made."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from lapstrake.baseos.configured import configured_base
from lapstrake.branch.instance import Branch, current_branch
from lapstrake.config.branches import usable_branches
from lapstrake.errors import LapstrakeError
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.contents.root_makers import RootMakers
from lapstrake.farm.contents.shelves import known_branch
from lapstrake.farm.contents.stack import (
    BaseRecipe,
    ListText,
    PackedLayer,
    StackBase,
    StackDocument,
    StackInstance,
    StackLayer,
    StackSettings,
)
from lapstrake.farm.problems import Invalid, Unknown
from lapstrake.formats.sources_list import SourceList
from lapstrake.host.files import temporary_name
from lapstrake.host.layer_archive import pack_layer
from lapstrake.layer.store import Layer
from lapstrake.names import Arch, BranchName, CacheKey
from lapstrake.place.foreign import place_for
from lapstrake.place.lists import base_list
from lapstrake.place.state import StateFiles
from lapstrake.place.workplace import Workplace

_PACKED = TypeAdapter(PackedLayer)
_DOCUMENT = TypeAdapter(StackDocument)


class Stacks:
    """What workers ask for before they build.

    Args:
        place: the server's own.
        contents: where packed layers are.
    """

    def __init__(self, place: Workplace, contents: Contents) -> None:
        self._place = place
        self._contents = contents
        self._makers = RootMakers(named=place.config.farm.root_makers)

    def document(self, branch: str, arch: str) -> StackDocument:
        """A branch for an architecture, as far as it was made by anybody.

        Raises:
            Unknown: there is no such branch.
            Invalid: there is no such architecture.
        """
        name, listed = known_branch(self._place, branch)
        machine = known_arch(arch)
        own = self._own(name, machine)
        found = own or self._shared(name, machine, listed)
        return StackDocument(
            branch=branch,
            arch=arch,
            listed=_text_of(listed),
            base=found.base if found else None,
            instance=found.instance if found else None,
            served=own is not None,
            layers=found.layers if found else (),
            settings=_settings(self._place),
            made_by=found.made_by if found else "",
        )

    def accept(self, document: StackDocument, worker: str) -> None:
        """Take what a worker made of a branch, for others of its architecture.

        Whoever is given it builds in it, so it is the first one's that made one, or of those that
        the configuration names (``farm.root_makers``).

        Args:
            document: the branch as the worker has it.
            worker: the name of its token.

        Raises:
            Invalid: its layers were not handed in before, or it is not complete.
            WrongState: another worker, or the server, makes it.
            NotAllowed: this one may not.
            Unknown: there is no such branch.
        """
        name, machine = known_branch(self._place, document.branch)[0], known_arch(document.arch)
        if document.base is None or document.instance is None or not document.layers:
            raise Invalid("the stack has no base, no instance or no layers")
        self._makers.check(worker)
        before = self._read(name, machine)
        maker = "" if self._own(name, machine) else (before.made_by or None) if before else None
        self._makers.check_first(f"the root of {name} for {machine}", maker, worker)
        for layer in document.layers:
            if self._note(machine, layer.key) is None:
                raise Invalid(f"the layer {layer.key[:12]} is not here")
        mine = replace(document, made_by=worker)
        self._contents.take_note(_stack_name(name, machine), _DOCUMENT.dump_json(mine))

    def packed(self, arch: str, key: str) -> PackedLayer:
        """A layer as a file of the content store; packed now if it was not before.

        Raises:
            Unknown: nobody has made such a layer.
        """
        machine = known_arch(arch)
        found = self._note(machine, key)
        if found is not None and not found.made_by:
            return found
        layer = self._place.store.find(_key(key))
        if layer is None and found is not None:
            return found
        if layer is None:
            raise Unknown(f"there is no layer {key[:12]} for {arch}")
        with self._place.lock(f"pack-{key}", what=f"packing the layer {key[:12]}"):
            packed = self._note(machine, key)
            return packed if packed and not packed.made_by else self._pack(machine, layer)

    def accept_layer(self, arch: str, key: str, packed: PackedLayer, worker: str) -> None:
        """Take a layer that a worker has made and uploaded; the first one stays.

        Raises:
            Invalid: its bytes are not here.
            WrongState: the server has it itself, or another worker has made it otherwise.
            NotAllowed: this one may make none.
        """
        self._makers.check(worker)
        if self._contents.size(packed.digest) != packed.size:
            raise Invalid(f"{packed.digest} is not here, or has not {packed.size} bytes")
        machine, hex_key = known_arch(arch), _key(key).hex
        before = self._note(machine, hex_key)
        if before is not None and before.digest == packed.digest and before.made_by:
            return
        maker = (before.made_by or None) if before else None
        maker = "" if self._place.store.find(_key(key)) else maker
        self._makers.check_first(f"the layer {key[:12]} for {arch}", maker, worker)
        self._take_note(machine, hex_key, replace(packed, made_by=worker))

    def forget_gone(self) -> None:
        """Forget layers whose files were collected; who asks for one has it packed again."""
        for name in tuple(self._contents.notes("layers/")):
            _, arch, key = name.split("/")
            if self._note(Arch(arch), key) is None:
                self._contents.drop_note(name)

    def kept(self) -> frozenset[str]:
        """The digests of packed layers that a branch's stack needs now."""
        digests = set()
        branches, _wrong = usable_branches(self._place.config.folder)
        for name, listed in branches.items():
            for arch in Arch:
                found = self._own(name, arch) or self._shared(name, arch, listed)
                notes = (self._note(arch, layer.key) for layer in (found.layers if found else ()))
                digests |= {note.digest for note in notes if note}
        return frozenset(digests)

    def _own(self, name: BranchName, arch: Arch) -> StackDocument | None:
        """What this server's own place has."""
        place = place_for(self._place, arch)
        branch = current_branch(place, name)
        found = stack_document(place, branch) if branch else None
        if found is None or found.base is None or found.instance is None:
            return None
        return found if found.base.key == found.instance.base else None

    def _shared(self, name: BranchName, arch: Arch, listed: SourceList) -> StackDocument | None:
        """What a worker made, unless the list is another one by now, or a layer is gone."""
        document = self._read(name, arch)
        if document is None or not self._makers.may_make(document.made_by):
            return None
        digest = hashlib.sha256(listed.text.encode()).hexdigest()
        if document.instance is None or document.instance.list_digest != digest:
            return None
        whole = all(self._note(arch, layer.key) for layer in document.layers)
        return document if whole else None

    def _read(self, name: BranchName, arch: Arch) -> StackDocument | None:
        """What a worker told, whatever it is worth by now."""
        data = self._contents.note(_stack_name(name, arch))
        try:
            return _DOCUMENT.validate_json(data) if data else None
        except ValidationError:  # another version's
            return None

    def _pack(self, arch: Arch, layer: Layer) -> PackedLayer:
        file = temporary_name(self._contents.scratch / layer.key.hex)
        try:
            with self._place.store.lease([layer]):
                closed = pack_layer(layer.tree, file)
            size = file.stat().st_size
            packed = PackedLayer(digest=self._contents.add_file(file), size=size, closed=closed)
        finally:
            file.unlink(missing_ok=True)
        self._take_note(arch, layer.key.hex, packed)
        return packed

    def _note(self, arch: Arch, key: str) -> PackedLayer | None:
        """A layer that was packed, if its bytes are still here."""
        data = self._contents.note(_layer_name(arch, key))
        try:
            packed = _PACKED.validate_json(data) if data else None
        except ValidationError:
            return None
        return packed if packed and self._contents.size(packed.digest) == packed.size else None

    def _take_note(self, arch: Arch, key: str, packed: PackedLayer) -> None:
        self._contents.take_note(_layer_name(arch, key), _PACKED.dump_json(packed))


def stack_document(place: Workplace, branch: Branch) -> StackDocument | None:
    """A branch of a place, to be sent; ``None`` when the place remembers it no longer.

    Args:
        place: of the branch's architecture.
        branch: as it stands.
    """
    remembered = StateFiles(place.private)
    base, instance = remembered.base(), remembered.branch(branch.name).current
    if base is None or instance is None:
        return None
    return StackDocument(
        branch=branch.name.text,
        arch=place.config.arch.value,
        base=StackBase(key=base.key.hex, origin=base.origin, loaded=base.loaded),
        instance=StackInstance.of(instance),
        layers=tuple(
            StackLayer(key=layer.key.hex, kind=layer.kind, facts=dict(layer.facts), size=layer.size)
            for layer in (branch.base, branch.instance)
        ),
    )


def _settings(place: Workplace) -> StackSettings:
    base = configured_base(place)
    listed = base_list(base)
    return StackSettings(
        maintainer=place.config.build.maintainer,
        dependency_names=place.config.dependency_names,
        base=BaseRecipe(
            method=base.method.value,
            suite=base.suite,
            variant=base.variant,
            packages=base.packages,
            url=base.url,
            checksum=str(base.checksum or ""),
            listed=_text_of(listed) if listed else None,
        ),
    )


def _text_of(listed: SourceList) -> ListText:
    return ListText(style=listed.style.value, text=listed.text)


def _stack_name(branch: BranchName, arch: Arch) -> str:
    return f"stacks/{arch}/{branch}"


def _layer_name(arch: Arch, key: str) -> str:
    return f"layers/{arch}/{key}"


def known_arch(text: str) -> Arch:
    """Read an architecture's name.

    Raises:
        Invalid: there is none of this name.
    """
    try:
        return Arch(text)
    except ValueError:
        raise Invalid(
            f"{text[:40]!r} is no architecture", resolution=f"Use one of {', '.join(Arch)}."
        ) from None


def _key(text: str) -> CacheKey:
    try:
        return CacheKey(text)
    except LapstrakeError:
        raise Unknown(f"{text[:80]!r} is no layer's key") from None
