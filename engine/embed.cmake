# Writes a C file that implements engine/preset.h from files: cmake -P embed.cmake OUT FILE...
#
# A file's name without .json is the preset's. Content goes through hexadecimal into arrays of octets,
# so that no octet of it means anything to CMake or to C.
cmake_minimum_required(VERSION 3.25)

set(arguments)
set(is_ours FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  if(is_ours)
    list(APPEND arguments "${CMAKE_ARGV${i}}")
  elseif(CMAKE_ARGV${i} STREQUAL "-P")
    math(EXPR script "${i} + 1")
  elseif(DEFINED script AND i EQUAL script)
    set(is_ours TRUE)
  endif()
endforeach()
list(POP_FRONT arguments out)
if(NOT out OR NOT arguments)
  message(FATAL_ERROR "usage: cmake -P embed.cmake OUT FILE...")
endif()

# By name, not by path.
set(names)
foreach(file IN LISTS arguments)
  get_filename_component(name "${file}" NAME_WLE)
  if(NOT name MATCHES "^[A-Za-z0-9][A-Za-z0-9._-]*$")
    message(FATAL_ERROR "${file}: not a preset's name")
  endif()
  if(name IN_LIST names)
    message(FATAL_ERROR "${file}: a second preset of this name")
  endif()
  list(APPEND names "${name}")
  set("file_${name}" "${file}")
endforeach()
list(SORT names COMPARE STRING CASE SENSITIVE ORDER ASCENDING)

set(arrays "")
set(rows "")
set(index 0)
foreach(name IN LISTS names)
  file(READ "${file_${name}}" hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR octets "${digits} / 2")
  if(octets EQUAL 0)
    set(hex "00")       # an array has at least one element; its length says that it has none
  endif()
  string(REGEX REPLACE "(..)" "0x\\1," hex "${hex}")
  string(REGEX REPLACE "((0x..,)(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?)"
         "    \\1\n" hex "${hex}")
  string(APPEND arrays "static const uint8_t preset_${index}[] = {\n${hex}};\n\n")
  string(APPEND rows "    { \"${name}\", { preset_${index}, ${octets} } },\n")
  math(EXPR index "${index} + 1")
endforeach()

file(WRITE "${out}" "/* Made by engine/embed.cmake. */
#include \"engine/preset.h\"

#include <assert.h>
#include <string.h>

${arrays}/* In the order of their names. */
static const struct {
    const char *name;
    struct ca_bytes json;
} presets[] = {
${rows}};

#define PRESET_COUNT (sizeof(presets) / sizeof(presets[0]))

size_t ca_preset_count(void)
{
    return PRESET_COUNT;
}

void ca_preset_at(size_t index, const char **name, struct ca_bytes *json)
{
    assert(index < PRESET_COUNT);
    *name = presets[index].name;
    *json = presets[index].json;
}

bool ca_preset_find(const char *name, struct ca_bytes *json)
{
    for (size_t i = 0; i < PRESET_COUNT; i++) {
        if (strcmp(presets[i].name, name) != 0) continue;
        *json = presets[i].json;
        return true;
    }
    return false;
}
")
