# Installs BUILD into an empty prefix, builds the examples against it, and runs them.
# Arguments (-D): SOURCE, BUILD, CONFIG, GENERATOR, COMPILER.
set(scratch ${BUILD}/install-test)
set(prefix ${scratch}/prefix)
file(REMOVE_RECURSE ${scratch})

# Runs a command; a failure ends the test with what it printed. Its standard output is in `output` then.
macro(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE error)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "exit status ${status} from: ${ARGV}\n${output}${error}")
  endif()
endmacro()

run(${CMAKE_COMMAND} --install ${BUILD} --config ${CONFIG} --prefix ${prefix})
run(${prefix}/bin/inkstone --version)
message("installed: ${output}")
foreach(file share/doc/inkstone/copyright share/bash-completion/completions/inkstone)
  if(NOT EXISTS ${prefix}/${file})
    message(FATAL_ERROR "${prefix}/${file} is missing")
  endif()
endforeach()
# Every command and subcommand has its part of the man page, with its options.
if(EXISTS ${BUILD}/inkstone.1.gz)
  run(gzip -dc ${prefix}/share/man/man1/inkstone.1.gz)
  foreach(part "inkstone tokenizer train\"" "inkstone prepare\"" "inkstone train\"" "inkstone bench\"" "--vocab-size" "--steps")
    string(REPLACE "-" "\\-" roff "${part}")
    string(FIND "${output}" "${part}" plain)
    string(FIND "${output}" "${roff}" escaped)
    if(plain EQUAL -1 AND escaped EQUAL -1)
      message(FATAL_ERROR "the man page has no '${part}'")
    endif()
  endforeach()
endif()

# Without these the test could find the source tree instead of the installed one.
foreach(example minimal training)
  file(COPY ${SOURCE}/examples/${example} DESTINATION ${scratch})
  run(${CMAKE_COMMAND} -S ${scratch}/${example} -B ${scratch}/${example}/build -G ${GENERATOR}
      -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_BUILD_TYPE=${CONFIG} -D CMAKE_PREFIX_PATH=${prefix})
  run(${CMAKE_COMMAND} --build ${scratch}/${example}/build)
endforeach()

# A tiny model, made by the installed program.
set(inkstone ${prefix}/bin/inkstone)
run(${inkstone} tokenizer train ${SOURCE}/tests/fixtures/tokenizer/text.txt --type byte -o ${scratch}/tokenizer)
run(${inkstone} prepare ${SOURCE}/tests/fixtures/tokenizer/text.txt --tokenizer ${scratch}/tokenizer -o ${scratch}/data)
run(${inkstone} train --data ${scratch}/data -o ${scratch}/run --model gpt-nano --layers 1 --heads 2 --width 16
    --context 16 --batch 2 --steps 2 --eval-tokens 100)
run(${scratch}/minimal/build/minimal ${scratch}/run "once")
string(LENGTH "${output}" length)
if(NOT output MATCHES "^once" OR length LESS 50)
  message(FATAL_ERROR "the example printed '${output}', expected 'once' and a hundred tokens")
endif()

execute_process(COMMAND ${scratch}/minimal/build/minimal ${scratch}/nowhere "once"
                RESULT_VARIABLE status ERROR_VARIABLE error)
if(NOT status EQUAL 1 OR NOT error MATCHES "nowhere")
  message(FATAL_ERROR "for a missing model: exit status ${status}, '${error}'; expected 1 and the folder's name")
endif()
message("the example wrote ${length} bytes")

# A loop of its own over the steps of a run.
run(${scratch}/training/build/training ${scratch}/data ${scratch}/own_run 200)
if(NOT output MATCHES "step 100: [0-9.]+ nats" OR NOT EXISTS ${scratch}/own_run/last/model.safetensors)
  message(FATAL_ERROR "the example of training printed '${output}', expected a loss, and a checkpoint")
endif()
