# Looks packages up in a package set, by names that a registry can write: lower case, no underscore
# in front. Evaluated by `nix-instantiate --eval --strict --json`; `request` is the path of a
# JSON file:
#   source   how the set is got: { path } | { tarball } | { revision }
#   system   what the packages run on
#   always   names that are taken when the set has them
#   names    what somebody asked for
# Gives { missing } when a name is unknown (all of them), else { packages }.
{ request }:
let
  inherit (builtins)
    addErrorContext attrNames concatLists deepSeq fetchTarball fetchTree filter foldl' fromJSON
    functionArgs hasAttr intersectAttrs isAttrs isFunction isList isString listToAttrs map match
    parseDrvName readFile replaceStrings split tryEval typeOf unsafeDiscardStringContext;

  asked = fromJSON (readFile request);

  # A function gets of these what it names: no configuration of whoever happens to run this.
  known = { inherit (asked) system; config = { }; overlays = [ ]; };

  origin =
    if asked.source ? path then /. + asked.source.path
    else if asked.source ? tarball then fetchTarball asked.source.tarball
    else (fetchTree {
      type = "github";
      owner = "NixOS";
      repo = "nixpkgs";
      rev = asked.source.revision;
    }).outPath;

  packageSet =
    let imported = import origin;
    in if isFunction imported
      then imported (intersectAttrs (functionArgs imported) known)
      else imported;

  isPackage = value: isAttrs value && (value.type or "") == "derivation";

  lower = replaceStrings
    [ "A" "B" "C" "D" "E" "F" "G" "H" "I" "J" "K" "L" "M" "N" "O" "P" "Q" "R" "S" "T" "U" "V" "W" "X" "Y" "Z" ]
    [ "a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l" "m" "n" "o" "p" "q" "r" "s" "t" "u" "v" "w" "x" "y" "z" ];

  # Keys by their lower-case form. Of those that differ in case only, the first in the order of
  # bytes is taken: attrNames is sorted, and listToAttrs keeps the first of equal names.
  byLowerCase = set: listToAttrs (map (key: { name = lower key; value = key; }) (attrNames set));
  topLevel = byLowerCase packageSet;

  identifier = part: if match "[0-9].*" part != null then "_${part}" else part;

  # The key that a part of a name means: itself, with an underscore, whatever its case.
  keyOf = set: table: part:
    if hasAttr part set then part
    else if hasAttr (identifier part) set then identifier part
    else table.${lower (identifier part)} or null;

  follow = at: part:
    let key = if isAttrs at.value then keyOf at.value (at.table at.value) part else null;
    in if key == null then { path = [ ]; value = null; table = byLowerCase; }
      else { path = at.path ++ [ key ]; value = at.value.${key}; table = byLowerCase; };

  lookUp = name: foldl' follow { path = [ ]; value = packageSet; table = _: topLevel; }
    (filter isString (split "\\." name));

  # What throws when it is looked at exists: its own words are a better answer than "not found".
  exists = name:
    let tried = tryEval (isPackage (lookUp name).value);
    in !tried.success || tried.value;

  missing = filter (name: !exists name) asked.names;

  describe = name:
    let
      inherit (lookUp name) path value;
      facts = {
        inherit name path;
        system = value.system or "";
        derivation = unsafeDiscardStringContext value.drvPath;
        output = value.outputName or "out";
        pname = value.pname or (parseDrvName value.name).name;
        version = value.version or (parseDrvName value.name).version;
        homepage = textOr "" (value.meta.homepage or "");
        licenses = licensesOf (value.meta.license or [ ]);
      };
    in addErrorContext "while looking at the package '${name}'" (deepSeq facts facts);

  textOr = default: value: if isString value then value else default;

  licensesOf = value:
    concatLists (map
      (one: if isString one then [ one ] else if one ? spdxId then [ one.spdxId ] else [ ])
      (if isList value then value else [ value ]));

  all = filter exists asked.always ++ asked.names;
in
if !isAttrs packageSet then { unusable = typeOf packageSet; }
else if missing != [ ] then { inherit missing; }
else { packages = map describe all; }
