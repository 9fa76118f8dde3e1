import warnings
warnings.warn("of main", stacklevel=1)
warnings.warn("of the caller", stacklevel=2)
def f():
    warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
f()
