// job: {"files": [{"path": "package.json", "content": "{\"type\": \"module\"}"}, {"path": "deep/other.js", "content": "console.log(import.meta.url)"}], "entrypoint": "deep/app.js", "args": ["1"]}
import './other.js';
console.log(import.meta.url, process.argv);
