"""What can go wrong, as types. Every error the package raises on purpose derives from `AutotuneError`."""


class AutotuneError(Exception):
    """Base of all errors of this package; its text says what is wrong, where, and what to do."""


class DefinitionError(AutotuneError):
    """A kernel's definition is not valid in the language."""


class ShapeError(AutotuneError):
    """An argument's shape does not fit the kernel, or two arguments disagree on an extent."""


class IndexRangeError(AutotuneError, IndexError):
    """An index that is computed from the arguments leads outside what it indexes."""


class DtypeError(AutotuneError):
    """An argument's dtype is not supported, or arguments disagree on it."""


class DeviceError(AutotuneError):
    """An argument is not in the memory of the processor that kernels run on."""


class DependencyError(AutotuneError, ImportError):
    """A package that is needed for this is not installed; the text says how to install it."""


class DifferentiationError(AutotuneError):
    """A gradient was asked for that does not exist or is not derived yet."""


class OptionError(AutotuneError, TypeError):
    """An option that a kernel does not have, or a value that no option can have."""


class UnknownKernelError(AutotuneError):
    """No kernel of that name; the text lists near names."""


class ScheduleError(AutotuneError):
    """A rewrite of a loop nest is not legal."""


class ConfigError(AutotuneError):
    """A config is not a point of its template's space."""


class TemplateError(AutotuneError):
    """No template takes the kernel; the text names the construct that stopped it."""


class DatabaseError(AutotuneError):
    """The database cannot be opened, read or written."""


class UsageError(AutotuneError):
    """A command was called with words it cannot take."""


class FormatError(AutotuneError):
    """Data from a file, a database or another program is not what it should be; the text names field and value."""
