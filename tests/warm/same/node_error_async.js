setTimeout(() => { null.x; }, 1);
