VERSION: str
INSTRUCTION_SETS: tuple[str, ...]
OPENMP: bool
