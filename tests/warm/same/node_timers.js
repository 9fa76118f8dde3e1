process.nextTick(() => console.log('tick'));
Promise.resolve().then(() => console.log('then'));
console.log('now');
setImmediate(() => {
    console.log('immediate');
    const began = Date.now(), origin = performance.now();
    setTimeout(() => {
        const passed = Date.now() - began, counted = performance.now() - origin;
        console.log(passed >= 29 && passed < 5000, counted >= 29 && counted < 5000);
        console.log(process.uptime() > 0, Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 1000);
    }, 30);
});
