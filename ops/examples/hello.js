console.log(`Hello from Node ${process.versions.node.split(".")[0]}!`);
