// A server and a client on a local socket, with HTTP on it.
const http = require('http')
const server = http.createServer((request, response) => response.end(request.url)).listen('/tmp/socket', () => {
  http.get({ socketPath: '/tmp/socket', path: '/ok' }, response => {
    response.on('data', data => { console.log(String(data).slice(1)); server.close() })
  })
})
