libweir_a_SOURCES +=
