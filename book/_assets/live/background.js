// needs: network.js random.js training.js
// Work beside the page, which answers meanwhile. The worker's script is made of the sources of the functions that it
// needs, as a page opened from disk may not start one from a file.
const Background = (() => {
  // Runs in the worker: takes as many steps as it is told, and says after each what came of it.
  function serve(/** @type {(settings: any) => Job} */ make) {
    /** @type {Job} */
    let job;
    let left = 0;
    let next = 0;

    function go() {
      clearTimeout(next);
      // What has been sent meanwhile comes first.
      next = setTimeout(() => {
        if (!left) return;
        left--;
        postMessage(job.step());
        go();
      });
    }

    onmessage = ({ data: { begin, change, steps } }) => {
      if (begin) job = make(begin);
      if (change) job.change?.(change);
      if (begin || change) postMessage(job.look());
      if (steps !== undefined) left = steps;
      go();
    };
  }

  // A worker, made anew whenever it is told `begin`, what `make` begins with; `change`, and how many `steps` to take,
  // are for the one that there is. `make` uses nothing but what this file needs.
  function worker(/** @type {(settings: any) => Job} */ make, receive) {
    const source = `
      const Network = (${makeNetwork})();
      const Random = { ${Random.seeded} };
      const Training = (${makeTraining})();
      (${serve})(${make});`;
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    let current;
    return (message) => {
      if (message.begin) {
        current?.terminate();
        current = new Worker(address);
        current.onmessage = ({ data }) => receive(data);
      }
      current.postMessage(message);
    };
  }

  return { worker };
})();
