# WEIR_TRY_CFLAG(FLAG): append FLAG to WEIR_CFLAGS if the compiler takes it without a warning.
AC_DEFUN([WEIR_TRY_CFLAG], [
    weir_save="$CFLAGS"
    CFLAGS="$CFLAGS -Werror $1"
    AC_MSG_CHECKING([whether $CC takes $1])
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
        [WEIR_CFLAGS="$WEIR_CFLAGS $1"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
    CFLAGS="$weir_save"
])
# WEIR_TRY_LDFLAG(FLAG): append FLAG to WEIR_LDFLAGS if the linker takes it.
AC_DEFUN([WEIR_TRY_LDFLAG], [
    weir_save="$LDFLAGS"
    LDFLAGS="$LDFLAGS $1"
    AC_MSG_CHECKING([whether the linker takes $1])
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
        [WEIR_LDFLAGS="$WEIR_LDFLAGS $1"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
    LDFLAGS="$weir_save"
])
