# shellcheck shell=bash
# setup.py: for each Python that the bundle has not switched off.

build_python_probe() {
	[[ -f setup.py ]]
}

# Into REPLY_LIST. Python 2 is off unless NOPYTHON2=0.
_pythons() {
	local python
	REPLY_LIST=()
	bool "$NOPYTHON2" || REPLY_LIST+=(python2)
	bool "$NOPYTHON3" || REPLY_LIST+=(python3)
	((${#REPLY_LIST[@]})) || abdie "E102: both NOPYTHON2 and NOPYTHON3 are on"
	for python in "${REPLY_LIST[@]}"; do
		command -v "$python" >/dev/null || abdie "E202: the root has no $python (BUILDDEP, NOPYTHON2, NOPYTHON3)"
	done
}

build_python_build() {
	local python
	_pythons
	for python in "${REPLY_LIST[@]}"; do
		"$python" setup.py build
	done
}

build_python_install() {
	local python pythons after
	_pythons
	pythons=("${REPLY_LIST[@]}")
	words MAKE_AFTER
	after=("${REPLY_LIST[@]}")
	for python in "${pythons[@]}"; do
		"$python" setup.py install --prefix="$PREFIX" --root="$PKGDIR" --optimize=1 "${after[@]}"
		"$python" setup.py clean --all || abwarn "setup.py clean failed"
	done
}
