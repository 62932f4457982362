// The one part of the pages that needs a script: work as it goes on.
"use strict";

async function renew(...selectors) {
  const answer = await fetch(location.href);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const selector of selectors) {
    const [old, now] = [document.querySelector(selector), fresh.querySelector(selector)];
    if (old && now) old.replaceWith(now);
  }
}

function followWork(section) {
  let known = numbers();
  function numbers() {
    return [...document.querySelectorAll(".work")].map((card) => card.dataset.number).join();
  }
  new EventSource(section.dataset.making).onmessage = async (event) => {
    const jobs = JSON.parse(event.data);
    const now = jobs.map((job) => job.number).join();
    if (now !== known) {
      known = now;
      await renew("#work", "#images", "#failures");
    }
    for (const job of jobs) show(job);
  };
  function show(job) {
    const card = document.querySelector(`.work[data-number="${job.number}"]`);
    if (!card) return;
    const running = job.state === "running";
    const seconds = Math.max(0, Math.round(Date.now() / 1000 - job.since));
    const step = running ? job.step || "starting" : `${job.before} before it in the queue`;
    card.querySelector(".state").textContent = job.state;
    card.querySelector(".state").className = `state ${job.state}`;
    card.querySelector(".step").textContent = `${step} (${seconds} s)`;
    card.querySelector(".last").textContent = job.line;
  }
}

function followLog(log) {
  const source = new EventSource(log.dataset.makingLog);
  source.onmessage = (event) => {
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 30;
    log.append(JSON.parse(event.data));
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  source.addEventListener("end", () => {
    source.close();
    renew("#facts");
  });
  log.scrollTop = log.scrollHeight;
}

const section = document.querySelector("[data-making]");
if (section) followWork(section);
const log = document.querySelector("[data-making-log]");
if (log) followLog(log);
