preload => preload.forEach(name => process.getBuiltinModule(name))
