set(sanitizer_options
  "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/leaks.txt:print_suppressions=0")
# tests/<floor>/*.cc become the program <floor>_test, linked to that floor and those it may include,
# and to these, which run what it builds.
set(diffusion_test_floors kernels compile run)
file(STRINGS ${PROJECT_SOURCE_DIR}/tests/floors.txt floor_rows REGEX "^[a-z]+:")
foreach(row IN LISTS floor_rows)
  string(REGEX MATCH "^[a-z]+" floor ${row})
  string(REGEX REPLACE "^[a-z]+: *([^|]*).*$" "\\1" below "${row}")
  string(STRIP "${below}" below)
  separate_arguments(below)
  file(GLOB test_sources CONFIGURE_DEPENDS tests/${floor}/*.cc)
  if(test_sources)
    add_executable(${floor}_test ${test_sources} tests/support/main.cc)
    target_include_directories(${floor}_test PRIVATE tests)
    target_link_libraries(${floor}_test PRIVATE atelier_flags OpenMP::OpenMP_CXX hwy::hwy
      ${io_libraries} ${data_libraries} Eigen3::Eigen
      tomlplusplus::tomlplusplus doctest::doctest dl)
    foreach(used IN LISTS floor below ${floor}_test_floors)
      get_target_property(type floor_${used} TYPE)
      if(NOT type STREQUAL INTERFACE_LIBRARY)
        target_sources(${floor}_test PRIVATE $<TARGET_OBJECTS:floor_${used}>)
      endif()
    endforeach()
    add_test(NAME ${floor} COMMAND ${floor}_test "-tce=unrolled LSTM*")
    set_tests_properties(${floor} PROPERTIES ENVIRONMENT
      "ATELIER_PIN=0;${sanitizer_options}")
  endif()
endforeach()

# A clock decides: alone, and not under sanitizers, which have clocks of their own.
if(TARGET run_test)
  add_test(NAME run/growth COMMAND run_test "-tc=unrolled LSTM*")
  set_tests_properties(run/growth PROPERTIES RUN_SERIAL ON LABELS timing
    ENVIRONMENT "ATELIER_PIN=0")
endif()

# What tools/startup measures the tools by.
add_executable(bare tests/support/bare.cc)
target_link_libraries(bare PRIVATE fmt::fmt HDF5::HDF5)
add_executable(cpu_time tests/support/cpu_time.cc)
target_link_libraries(cpu_time PRIVATE fmt::fmt)

# For work on the kernels: ninja products_bench.
if(TARGET kernels_test)
  add_executable(products_bench EXCLUDE_FROM_ALL tests/bench/products_bench.cc
    $<TARGET_OBJECTS:floor_base> $<TARGET_OBJECTS:floor_tensor> $<TARGET_OBJECTS:floor_kernels>)
  target_link_libraries(products_bench PRIVATE atelier_flags OpenMP::OpenMP_CXX hwy::hwy)
endif()

file(GLOB tool_tests CONFIGURE_DEPENDS tests/tools/*.sh)
foreach(script IN LISTS tool_tests)
  get_filename_component(test ${script} NAME_WE)
  if(NOT test STREQUAL harness)
    add_test(NAME tools/${test} COMMAND bash ${script} ${PROJECT_BINARY_DIR}/bin)
    set_tests_properties(tools/${test} PROPERTIES ENVIRONMENT
      "ATELIER_PIN=0;${sanitizer_options}")
  endif()
endforeach()
# Alone, because other tests disturb its clock; meaningless under sanitizers.
if(TEST tools/startup)  # a proof on a part of the tree may lack it
  set_tests_properties(tools/startup PROPERTIES RUN_SERIAL ON LABELS timing)
endif()
file(GLOB repository_checks CONFIGURE_DEPENDS tests/checks/*.sh tests/checks/*.py)
foreach(script IN LISTS repository_checks)
  get_filename_component(test ${script} NAME_WE)
  add_test(NAME checks/${test} COMMAND ${script} ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
endforeach()
