# Every warning as an error and every hardening flag, as properties of one interface target that all of ours link.
# Assertions stay in every build: what breaks one is a bug of ours, and going on from there is not an option.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2")
add_library(sa_flags INTERFACE)
target_compile_definitions(sa_flags INTERFACE _GNU_SOURCE SA_VERSION="${PROJECT_VERSION}")
target_include_directories(sa_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(sa_flags INTERFACE
    -Wall -Wextra -Werror -Wpedantic -Wshadow -Wpointer-arith -Wwrite-strings -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wformat=2 -Wundef -Wvla -Wswitch-enum -Wimplicit-fallthrough
    -Wnull-dereference -Wdouble-promotion
    -fstack-protector-strong -fno-common -fno-strict-aliasing)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # -Wcast-qual is here since clang blames protobuf-c's initialisers on whoever uses them.
    target_compile_options(sa_flags INTERFACE -Wcast-qual -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wtrampolines
        -fstack-clash-protection)
endif()
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    target_compile_options(sa_flags INTERFACE -fcf-protection=full)
endif()
target_link_options(sa_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)

if(SA_SANITIZE)
    target_compile_options(sa_flags INTERFACE -fsanitize=${SA_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(sa_flags INTERFACE -fsanitize=${SA_SANITIZE})
else()
    target_compile_options(sa_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
endif()
if(SA_FUZZ)
    target_compile_options(sa_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

include(CheckPIESupported)
check_pie_supported()

# Generated sources keep the hardening and lose the warnings: they are not ours to mend.
add_library(sa_flags_generated INTERFACE)
target_link_libraries(sa_flags_generated INTERFACE sa_flags)
target_compile_options(sa_flags_generated INTERFACE -w)
