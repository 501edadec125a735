# esod_embed(TARGET FILE SYMBOL): compiles a text file into TARGET.
#
#   extern const char SYMBOL[];        /* the bytes, and a NUL behind them */
#   extern const size_t SYMBOL_len;    /* without the NUL */
#
# The C file is made at build time by this same script and is remade when FILE
# changes. Call it in the directory that makes TARGET.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  function(esod_embed target file symbol)
    get_filename_component(input ${file} ABSOLUTE)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/embed/${symbol}.c)
    add_custom_command(
      OUTPUT ${output}
      COMMAND ${CMAKE_COMMAND} -DINPUT=${input} -DOUTPUT=${output} -DSYMBOL=${symbol} -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
      DEPENDS ${input} ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
      VERBATIM)
    target_sources(${target} PRIVATE ${output})
  endfunction()
  return()
endif()

# Character constants rather than one string literal: the standard promises
# only 4095 bytes for a literal, and -Wpedantic holds us to it.
file(READ ${INPUT} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR length "${digits} / 2")
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
file(WRITE ${OUTPUT}
     "#include <stddef.h>\n"
     "extern const char ${SYMBOL}[];\nextern const size_t ${SYMBOL}_len;\n"
     "const char ${SYMBOL}[] = {\n${bytes}'\\0'};\n"
     "const size_t ${SYMBOL}_len = ${length};\n")
