/* The linker needs a file; see Rooms.cmake for what this one proves. */
typedef int es_layering;
